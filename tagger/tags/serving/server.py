"""The page's server, made by Gradio and run by uvicorn."""

import contextlib
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI


def application(blocks: gr.Blocks, *, max_bytes: int) -> FastAPI:
    """Return the page as an application: no analytics, no API, no history, no fonts from elsewhere."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    styles = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=max_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        show_error=False,
        i18n=gr.I18n(en={"upload_text.drop_file": "Drop photos here", "upload_text.click_to_upload": "choose them"}),
        theme=_theme(),
        css=styles,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which says nothing of the connections that open pages hold when it ends."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def run(app: Any, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    # As Ctrl-C, so that what is open is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listener])


def _theme() -> gr.themes.Base:
    """Return Gradio's plain theme in the colours and fonts of the other pages."""
    blue = gr.themes.Color(
        **{
            "c50": "#eef5f9",
            "c100": "#d9e9f1",
            "c200": "#b5d3e3",
            "c300": "#8bb9d1",
            "c400": "#5a9abc",
            "c500": "#2c6e8f",
        },
        **{"c600": "#2c6e8f", "c700": "#255c78", "c800": "#1f4c63", "c900": "#193d50", "c950": "#102733"},
    )
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC"]
    mono = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace"]
    return gr.themes.Default(primary_hue=blue, neutral_hue="gray", font=[*fonts, "sans-serif"], font_mono=mono)
