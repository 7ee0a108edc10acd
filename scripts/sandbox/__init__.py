"""A gateway, an exchange and an analyst to practise on. Nothing here reaches a real market.

It speaks the broker's API from the public facts about it and shares no code with the client: a
shared parser would hide a shared mistake.
"""
