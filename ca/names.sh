# shellcheck shell=sh disable=SC2154
# The names that a certificate will have: shown to the operator, and compared with the expected ones.
# request_extensions has left $san_hex and work/sans.

# subject_lines NAMEOPT: the attributes of the request's subject, one per line. The subject was
# checked: it has one common name and no control characters.
subject_lines()
{
	openssl req -in work/req.pem -noout -subject -nameopt "sep_multiline,sname,utf8$1" |
		sed -n 's/^    //p'
}

# What is not ASCII is shown escaped: another alphabet has letters that look like Latin ones.
names_show()
{
	say "names in the certificate for $request_name:"
	say "  subject: $(openssl req -in work/req.pem -noout -subject -nameopt oneline |
		sed 's/^subject=//')"
	say "  common name: $(subject_lines ,esc_ctrl,esc_msb,esc_2253 | sed -n 's/^CN=//p')"
	[ -s work/sans ] || say "  alternative names: none"
	while read -r _ name; do
		say "  alternative name: $name"
	done <work/sans
}

# sans_missing FILE OTHER: prints the names in FILE that OTHER has not, compared as they are encoded.
sans_missing()
{
	awk -v other="$2" 'FILENAME == other { has[$1] = 1; next } !($1 in has) { print $2 }' "$2" "$1"
}

# The common name must be that of --expect-cn, if it is given. With --expect-cn or --expect-san the
# alternative names must be those of --expect-san, all of them and no others.
names_expected()
{
	[ -n "$expect_cn$expect_sans" ] || return 0
	differ=
	subject_lines '' | sed -n 's/^CN=//p' >work/cn
	[ -z "$expect_cn" ] || printf '%s\n' "$expect_cn" | cmp -s - work/cn || {
		differ=1
		say "the common name is '$(subject_lines ,esc_ctrl,esc_msb | sed -n 's/^CN=//p')'," \
			"not '$expect_cn'"
	}
	: >work/expected
	if [ -n "$expect_sans" ]; then
		while IFS= read -r item; do
			san_encode "${item%%:*}" "${item#*:}"
			printf '%s %s\n' "$encoded" "$item" >>work/expected
		done <<END
$expect_sans
END
	fi
	sans_missing work/sans work/expected >work/differ
	while IFS= read -r name; do
		differ=1
		say "alternative name $name is not expected"
	done <work/differ
	sans_missing work/expected work/sans >work/differ
	while IFS= read -r name; do
		differ=1
		say "expected alternative name $name is missing"
	done <work/differ
	[ -z "$differ" ] || die "$request_name: its names are not the expected ones: nothing was signed"
}
