"""Supervision of the interactions between the systems: indicators, states, alarms and when a mail is due.

Rules of "supervision of the ERP-CRM interactions" (seed document 003), with what other tools show beside them.
"""
