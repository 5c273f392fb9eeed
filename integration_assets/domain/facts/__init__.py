"""Installation facts (anlægsfakta): which value holds when for each operand of an installation, and the ten processes.

The rules follow the description of SAP IS-U's replication of CRM processes. Everything here is pure: an installation
and a call go in, an installation and a journal entry come out; a refused call changes nothing.
"""
