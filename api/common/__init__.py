"""What several resources share: the referral that a request names, the directory's part, parts of bodies."""
