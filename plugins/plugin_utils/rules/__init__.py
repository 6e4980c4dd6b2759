# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What public variables must be, beyond the types and choices of their argument spec, alone and together.

``RULES`` says which rule judges which variable, ``CROSS_RULES`` look at several. To add one, write a function into the file
of what it judges, and put it into its table. A variable whose spec says all that there is to say needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import specs
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import (
    backup,
    directory,
    host,
    keep,
    logins,
    network,
    nodes,
    passwords,
    quotas,
    tls,
    tokens,
    upstreams,
)
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import (
    Problem,
    Rule,
    absolute_path,
    authorities_file,
    between,
    file_on_controller,
    lasting,
    size,
    url,
)

RULES: Mapping[str, Rule] = {
    "pypi_instance": host.instance,
    "pypi_system_user": host.account,
    "pypi_home": host.home,
    "pypi_http_port": between(network.PORT),
    "pypi_https_port": between(network.PORT),
    "pypi_bind_address": network.address,
    "pypi_url": network.origin_url,
    "pypi_trusted_proxies": network.networks,
    "pypi_metrics_networks": network.readers_of_metrics,
    "pypi_nodes": nodes.group_of_nodes,
    "pypi_node_address": nodes.node_address,
    "pypi_drain": lasting("0s", "10m"),
    "pypi_tls_certificate": absolute_path("pypi.pem"),
    "pypi_tls_key": absolute_path("pypi.key"),
    "pypi_acme_directory": url(
        r"""https://[^\s"'\\/$]+/[^\s"'\\$]*\Z""",
        "an https URL of a directory",
        "give one such as https://acme.example.com/directory",
    ),
    "pypi_acme_ca_file": file_on_controller,
    "pypi_authenticate": logins.actions,
    "pypi_login_source_url": url(
        r"""https?://[^\s"'\\/$;{}?#]+/[^\s"'\\$;{}#]*\Z""",
        "an http or https URL with a path",
        "give one such as https://auth.example.com/pypi",
    ),
    "pypi_ldap": directory.ldap,
    "pypi_users": logins.users,
    "pypi_tokens": tokens.tokens,
    "pypi_tokens_max_days": between(range(3651), "0 allows tokens that do not expire"),
    "pypi_bcrypt_cost": between(
        passwords.BCRYPT_COSTS, "each step doubles the time of a check: 10 is about 50 ms, 17 about 6 s"
    ),
    "pypi_logins_per_minute": between(range(1, 100001)),
    "pypi_verdict_lifetime": lasting("1s", "1d"),
    "pypi_max_upload": network.upload_size,
    "pypi_quotas": quotas.quotas,
    "pypi_disk_reserve": quotas.reserve,
    "pypi_trash": lasting("0d", "3650d"),
    "pypi_keep": keep.keep,
    "pypi_keep_files": keep.files,
    "pypi_freshness": lasting("0s", "1h"),
    "pypi_upstreams": upstreams.upstreams,
    "pypi_private_names": upstreams.private_names,
    "pypi_shadowed_names": upstreams.shadowed_names,
    "pypi_upstream_minimum_age": lasting("0s", "3650d"),
    "pypi_upstream_denied": upstreams.denied,
    "pypi_upstream_allowed": upstreams.allowed,
    "pypi_upstream_exempt": upstreams.exempt,
    "pypi_upstream_cache_size": upstreams.cache_size,
    "pypi_upstream_freshness": lasting("1s", "1d"),
    "pypi_upstream_ca_file": authorities_file,
    "pypi_upstream_proxy": upstreams.proxy,
    "pypi_replicas": between(range(1, 17)),
    "pypi_workers": between(range(1, 33)),
    "pypi_container_memory": size("512m"),
    "pypi_container_cpus": host.processors,
    "pypi_log_max_size": size("10m"),
    "pypi_log_retention": lasting("1d", "3650d"),
    "pypi_change_log_retention": lasting("1d", "3650d"),
    "pypi_backup_environment": backup.environment,
    "pypi_backup_keep": backup.keep,
    "pypi_images_archive": absolute_path("images.tar"),
    "pypi_image_pypiserver": host.image,
    "pypi_image_nginx": host.image,
    "pypi_docker_repository_url": url(
        r"""https?://[^\s"'\\/]+(?:/[^\s"'\\]*)?\Z""",
        "an http or https URL",
        "give one such as https://mirror.example.com/docker; apt's auth.conf.d and dnf's configuration keep logins",
    ),
    "pypi_docker_repository_key_file": file_on_controller,
    "pypi_images_username": passwords.secret,
    "pypi_images_password": passwords.secret,
    "pypi_bundle": absolute_path("bundle.tar"),
    "pypi_start_timeout": lasting("1s", "1h"),
}
CROSS_RULES: tuple[Callable[[Mapping[str, Any]], Iterator[Problem]], ...] = (
    logins.authentication_needs_users,
    logins.auth_has_a_service,
    directory.directory_is_whole,
    tokens.have_names_of_their_own,
    tokens.expire_in_time,
    host.registry_login_is_whole,
    host.newer_images_have_a_registry,
    network.ports_differ,
    network.ipv6_clients_are_strangers,
    nodes.can_be_shared,
    tls.url_is_of_tls,
    tls.tls_has_a_name,
    tls.provided_is_whole,
    tls.acme_has_a_directory,
    backup.is_whole,
    backup.is_elsewhere,
    *upstreams.CROSS_RULES,
)


def problems(variables: Mapping[str, Any]) -> list[Problem]:
    """Every problem of some variables, given by name, in their order; rules about others are not applied."""
    found = [Problem(name, *problem) for name, value in variables.items() for problem in _of_one(name, value)]
    found += [problem for rule in CROSS_RULES for problem in rule(variables)]
    # A token in the wrong place would be shown as the value that is wrong; it can be known by its form.
    return [Problem(name, tokens.hidden(problem), tokens.hidden(mend)) for name, problem, mend in found]


def _of_one(name: str, value: Any) -> list[tuple[str, str]]:
    """The problems of one variable: by its own rule, whose words are better, else by its spec."""
    found = list(RULES[name](value)) if name in RULES else []
    option = specs.public().get(name)
    return found or (list(specs.complaints(value, option)) if option else [])


def warnings(variables: Mapping[str, Any]) -> list[str]:
    """What is allowed, yet may not be meant."""
    return [text for part in (logins, tokens, tls, network, upstreams) for text in part.warnings(variables)]
