"""Referrals and the deals that they belong to: `/v1.0/engagements`."""
