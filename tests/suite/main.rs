mod auth;
mod auth_htpasswd;
mod loopback;
mod website;
mod website_links;
