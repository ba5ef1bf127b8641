"""Operations on referrals and their engagements: `/v1.0/engagements`."""
