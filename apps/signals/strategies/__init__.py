"""The shipped strategies, one module each, named as the strategy is.

A module stands on `trading` and on what `apps.signals.interface` offers, not on its neighbours, though two of them say
much the same: a run keeps the one file of its strategy, and from that file alone it is done again years later.
"""
