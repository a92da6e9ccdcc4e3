"""The proxy: an application's calls pass through untouched, and become pairs on the way.

The process that serves appends each finished call to a spool file and does nothing else with
it; a second process turns the spool into pairs. So recording cannot delay or fail a call, and
what a client saw complete is on disk a moment later.
"""
