"""Fingerprint and match, in processes that nothing gets out of but matches.

A worker starts one zygote, the zygote forks children, the children close themselves in and examine images. See
`pool.Sandbox` for the way in, and `confine.close_in` for what a child gives up.
"""
