# systemd: the gateway's service, its user, its folders
systemdsystemunitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
exampledir = $(docdir)/examples
grafanadir = $(exampledir)/grafana
prometheusdir = $(exampledir)/prometheus

examples = examples/softhsm.conf examples/tpm.conf examples/site.conf \
	examples/mosquitto-service.conf examples/mosquitto-site.acl examples/pin-service.conf \
	examples/tpm-service.conf

nodist_systemdsystemunit_DATA = systemd/p11-gateway@.service
dist_example_DATA = $(examples)
dist_grafana_DATA = examples/grafana/p11-gateway.json
dist_prometheus_DATA = examples/prometheus/scrape.yml examples/prometheus/p11-gateway.rules.yml
nodist_example_DATA = examples/mosquitto-site.conf
EXTRA_DIST += systemd/p11-gateway@.service.in systemd/sysusers.conf systemd/tmpfiles.conf \
	examples/mosquitto-site.conf.in
CLEANFILES += $(nodist_systemdsystemunit_DATA) $(nodist_example_DATA)

fill_in = sed -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	-e 's|@plugindir[@]|$(plugindir)|g'

examples/mosquitto-site.conf: examples/mosquitto-site.conf.in Makefile
	@$(MKDIR_P) examples
	$(AM_V_GEN)$(fill_in) $(srcdir)/examples/mosquitto-site.conf.in >$@.new && mv $@.new $@

systemd/p11-gateway@.service: systemd/p11-gateway@.service.in Makefile
	@$(MKDIR_P) systemd
	$(AM_V_GEN)$(fill_in) $(srcdir)/systemd/p11-gateway@.service.in >$@.new && mv $@.new $@

install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) $(srcdir)/systemd/sysusers.conf '$(DESTDIR)$(sysusersdir)/p11-gateway.conf'
	sed 's|/etc/|$(sysconfdir)/|' $(srcdir)/systemd/tmpfiles.conf >'$(DESTDIR)$(tmpfilesdir)/p11-gateway.conf'
	chmod 644 '$(DESTDIR)$(tmpfilesdir)/p11-gateway.conf'

uninstall-local:
	rm -f '$(DESTDIR)$(sysusersdir)/p11-gateway.conf' '$(DESTDIR)$(tmpfilesdir)/p11-gateway.conf'
