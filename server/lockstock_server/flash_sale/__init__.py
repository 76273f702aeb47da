"""The flash sale: a hundred thousand buyers, ten thousand units, one `kill -9`, and a judge.

`buyers` says how a buyer behaves, `workers` lets thousands of them loose, `server_process` starts and kills
the server, `judge` decides from the buyers' own log alone, `sale` brings them together.
"""
