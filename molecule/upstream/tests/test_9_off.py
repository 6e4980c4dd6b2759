"""Upstreams turned off: at once and without a trace, or, where the run fails, not at all."""

from __future__ import annotations

from typing import Any

from tests.support.one_url import OneUrl
from tests.support.playbook import refused, says, site
from tests.support.public_index import PublicIndex
from tests.support.stack import Stack


def test_what_nginx_refuses_leaves_upstreams_on_and_the_next_run_turns_them_off(
    host: Any, one: OneUrl, public: PublicIndex, private: str, fresh: str, stack: Stack
) -> None:
    own = f"{stack.home}/nginx/conf.d/own.conf"
    host.check_output(f"install -m 0644 /dev/null {own} && echo 'lissten 80;' >{own}")
    try:
        says(refused(pypi_upstreams=[]), 'unknown directive "lissten"')
    finally:
        host.check_output(f"rm {own}")
    # Also one that nothing knows yet: pypi-server still has its policy.
    assert one.names(fresh)
    file = one.address(fresh)
    assert one.get(file).status == 200

    site(pypi_upstreams=[])
    public.begin()
    assert one.page(fresh).status == one.get(file).status == 404
    assert one.names(private)
    assert public.log() == []
    for left in ("upstreams.json", "index/public", "nginx_cache/public_*", "sockets/nginx"):
        # What going back takes is in .previous, until the next run that changes anything.
        found = f"find {stack.home} -path {stack.home}/.previous -prune -o -path '*/{left}' -print"
        assert host.check_output(found) == ""
