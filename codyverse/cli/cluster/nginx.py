"""nginx before the web processes: found, and told what to do. The listening socket is ours, so that it outlives nginx."""

import os
import pwd
import shutil
from pathlib import Path

from codyverse.cli.cluster.state import Refused

PLACES = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx")
SMALLEST_BODY = 10_000_000

CONFIGURATION = """\
# Written by `flask cluster up` at each start: changes here are lost. docs/cluster.md explains it.
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
{user}
events {{ worker_connections 8192; }}
http {{
  access_log off;
  server_tokens off;
  default_type application/octet-stream;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-unused;
  uwsgi_temp_path {folder}/nginx-unused;
  scgi_temp_path {folder}/nginx-unused;
  client_max_body_size {body};
  keepalive_timeout 75s;

  # A process that is gone refuses at once, so nobody has to be remembered as failed. What was not sent yet goes to the
  # next one; what was sent and got no answer only if it is safe to repeat (GET and HEAD), which is nginx's own rule.
  upstream pages {{
    {web}
  }}
  upstream streams {{ server unix:{stream} max_fails=0; }}
  upstream streams_of_api {{ server unix:{stream} max_fails=0; {spare} }}
  map $request_method $of_api {{ GET streams_of_api; default pages; }}

  proxy_http_version 1.1;
  proxy_next_upstream error timeout;
  proxy_connect_timeout 2s;
  proxy_read_timeout 60s;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For {forwarded_for};
  proxy_set_header X-Forwarded-Proto {forwarded_proto};
  proxy_set_header X-Forwarded-Host {forwarded_host};
  proxy_set_header X-Request-Start "t=${{msec}}";

  server {{
    listen {listen};
    error_page 502 504 =503 @nobody;
    location / {{ proxy_pass http://pages; }}
    location /api/ {{
      proxy_pass http://pages;
      error_page 502 504 =503 @nobody_of_api;
    }}
    location = /notifications/stream {{
      proxy_pass http://streams;
      proxy_buffering off;
      proxy_read_timeout 1h;
      error_page 502 504 =503 @later;
    }}
    location = /api/notifications/stream {{
      proxy_pass http://$of_api;
      proxy_buffering off;
      proxy_read_timeout 1h;
    }}
    location @nobody {{
      internal;
      add_header Retry-After 5 always;
      default_type text/html;
      return 503 "<!doctype html><html lang=en><title>Back in a moment</title><h1>Back in a moment</h1><p>The site is starting or changing. Nothing is lost: reload in a few seconds.";
    }}
    location @nobody_of_api {{
      internal;
      add_header Retry-After 5 always;
      default_type application/json;
      return 503 '{{"success": false, "error": "The site is starting or changing. Try again in a moment.", "code": "SERVICE_UNAVAILABLE", "timestamp": "$time_iso8601"}}';
    }}
    location @later {{
      internal;
      add_header Retry-After 2 always;
      return 503;
    }}
  }}
}}
"""


def find() -> str:
    """The program. Raises Refused."""
    found = shutil.which("nginx") or next((each for each in PLACES if os.access(each, os.X_OK)), None)
    if found is None:
        raise Refused(
            "No nginx was found: install it (Debian and Ubuntu: apt install nginx; macOS: brew install nginx)."
        )
    return found


def configuration(
    folder: Path, listen: str, web: list[Path], stream: Path, *, most_bytes: int, proxies_before: int
) -> str:
    """The text of nginx.conf. With proxies before nginx their word about client and protocol is passed on."""
    before = proxies_before > 0
    return CONFIGURATION.format(
        folder=folder,
        listen=listen,
        user=f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else "",  # as the processes behind it
        body=max(SMALLEST_BODY, 2 * most_bytes),
        web="\n    ".join(f"server unix:{path} max_fails=0;" for path in web),
        stream=stream,
        spare=f"server unix:{web[0]} backup;",
        forwarded_for="$proxy_add_x_forwarded_for" if before else "$remote_addr",
        forwarded_proto='"$http_x_forwarded_proto, $scheme"' if before else "$scheme",
        forwarded_host='"$http_x_forwarded_host, $http_host"' if before else "$http_host",
    )
