"""What the platform calls: the health check, delivery reports of mails, timers."""
