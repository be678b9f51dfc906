"""Answers that are kept: who asks again is answered without the router and the database.

front      the layer before everything else: a kept answer, or nothing
sending    how the server gets one
answering  what routes call: a kept answer, 304, or one computation for all who ask
store      what is kept, bounded by bytes
entry      one kept answer, in each coding
asked      what was asked, in one spelling
"""
