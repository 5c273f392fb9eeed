"""The operators' pages: the state of the interactions, the worklist, one customer, trends.

Server-side HTML that works without JavaScript. Nothing here computes what a run or the supervision process knows
better: pages read the cache, and an action changes one row of it, which the next run acts on. It knows no Dagster.

Language, access and headers are decided once, in `visits` and `headers`; a page is a function from a visit to an
answer.
"""
