"""Operations on registrations of won deals and their review: `/v1.0/registrations`, and below a referral."""
