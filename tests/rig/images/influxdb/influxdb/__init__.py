"""A stand-in for InfluxDB 2.7: the endpoints that the platform uses, with the real server's refusals, and state that stays."""
