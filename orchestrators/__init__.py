"""Durable orchestrations: they wait, order and decide; every look-up and every effect is an activity."""
