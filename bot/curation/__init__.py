"""Curating albums together, as rules. All of it is pure: `bot/clubs/` keeps the clubs and their time.

The club as data is in `club`; `transitions` is the state machine of a round, `rounds` keeps its clock, `choice` finds
its album. What people do is in `curators`, `participation` and `turns`, with `house_rules` and `refusals`.
`calendar`, `ballots`, `ratings` and `draw` depend on none of these.
"""
