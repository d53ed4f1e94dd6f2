"""Curating albums together: the club's rules as pure code.

`calendar` says when the club meets, `rounds` what happens then, `ballots` counts votes, `ratings` sums ratings up,
`draw` picks from a crate. Nothing here knows Discord, Spotify or the database.
"""
