"""Keeps a utility's billing system (KMD EE), OIO registry (LoRa) and Dynamics CRM 365 true to each other."""

__version__ = "0.1.0"
