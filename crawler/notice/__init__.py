"""Notices: what is said to a hoster, in which form, by which deadline, and how it leaves."""
