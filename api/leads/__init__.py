"""Operations for applications that take in leads: `/v1.0/leads` and `/v1.0/providers`."""
