"""Use cases that the command line and the desk share: one function per act.

It takes the actor, checks the role, and writes the audit event in the transaction of the act.
"""
