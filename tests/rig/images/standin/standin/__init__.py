"""What the stand-ins for InfluxDB and Grafana share: HTTP, routes, checks of what is sent, a store on disk."""
