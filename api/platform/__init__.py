"""What the platform calls: health, delivery reports of mails, timers."""
