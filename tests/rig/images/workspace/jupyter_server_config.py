# What ml-workspace 0.13.2 sets for its Jupyter, said in the words of Jupyter Server 2.
import os

c = get_config()  # noqa: F821 (given by traitlets)

c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = 8080
c.ServerApp.port_retries = 0
c.ServerApp.root_dir = "/workspace"
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.ServerApp.quit_button = False
c.ServerApp.terminals_enabled = True
c.JupyterApp.answer_yes = True
c.FileContentsManager.delete_to_trash = False

# It stands behind a gateway, which alone decides who comes through and under which name.
c.ServerApp.allow_remote_access = True
c.ServerApp.allow_origin = "*"
c.ServerApp.disable_check_xsrf = True
c.ServerApp.trust_xheaders = True

# One segment (`alice`) or several (`dtaas/alice`), with or without slashes at the ends.
base = os.environ.get("WORKSPACE_BASE_URL", "").strip("/")
c.ServerApp.base_url = f"/{base}/" if base else "/"

# Empty or `false`: no token. `true` or `<generated>`: Jupyter makes one and logs it. Anything else is the token.
token = os.environ.get("AUTHENTICATE_VIA_JUPYTER", "").strip()
if token.lower() in ("", "false"):
    c.IdentityProvider.token = ""
elif token.lower() not in ("true", "<generated>"):
    c.IdentityProvider.token = token

if "NB_UMASK" in os.environ:
    os.umask(int(os.environ["NB_UMASK"], 8))
