"""Recalls (tilbagekald) of claims that were handed over to the debt collection authority (Gældsstyrelsen, DMI).

Messages, reason codes, error numbers and states follow the service description DMIFordringAsynkronTilbagekald 1.0;
where it is silent, the public rules of the authority's claim reception (NyMF) count. Everything here is pure.
"""
