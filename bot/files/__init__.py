"""Files that members send and get: saved albums, crates, club spreadsheets. Pure: bytes in, data out.

`library.read_library` reads what `/import` is given, `club_sheet.read_club_sheet` what `/curate import` is given.
`exports` writes CSV and JSON, and both readers read those again. What a file cannot be read as is a
`problems.FileProblem`; what a single row cannot be read as is part of the result, so that nothing is lost unnoticed.
"""
