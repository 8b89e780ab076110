"""Set-up without a computer: the node's own access point with one page on it (docs/portal.md).

Loaded only when there is a reason to, for which `entry` looks. `run` opens and closes it, `http`
and `dns` answer phones, `form` makes settings of what was typed, `page` shows them, and
`first_connection` sees that they work.
"""
