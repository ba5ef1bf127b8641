"""Shared by several resources: access to referrals and engagements, the directory's data, steps, common models."""
