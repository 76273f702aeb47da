"""A real shop's order lines, driven through a running server as a shop would, and a report that balances.

`rows` says what a row is, `read` where rows come from, `plan` what becomes of them, `shop` on which
catalogue, `drive` does it, `report` adds it up.
"""
