#!/bin/sh
# The same broker with per_listener_settings true, where old ones give plugins no clock.
set -eu

per_listener=true
export per_listener
exec sh "${top_srcdir:-.}/tests/integration/broker-acl.sh"
