"""A stand-in for Grafana 11.6: accounts, organisations, data sources and ways of signing in, with the real server's refusals."""
