# Whether a text is in Prometheus's exposition format 0.0.4, as its producers must write it and
# promtool checks it: prints what is wrong, and ends with 1.

function wrong(what)
{
	print FILENAME ":" FNR ": " what ": " $0
	bad = 1
}

# The family that a sample is of: a histogram's has three names more.
function family_of(name, base)
{
	base = name
	sub(/_(bucket|sum|count)$/, "", base)
	return type[base] == "histogram" ? base : name
}

# Labels are cut off from the left, one by one.
function check_labels(text)
{
	while (text != "") {
		if (!match(text, /^[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\[\\"n])*"(,|$)/)) {
			wrong("labels")
			return
		}
		text = substr(text, RLENGTH + 1)
	}
}

function check_bucket(family, labels, value, le)
{
	le = labels
	sub(/^.*le="/, "", le)
	sub(/".*$/, "", le)
	if (value < below[family])
		wrong("a bucket holds less than the one before it")
	if (le != "+Inf" && seen_le[family] && le + 0 <= last_le[family])
		wrong("buckets are not in order")
	below[family] = value
	last_le[family] = le + 0
	seen_le[family] = 1
	if (le == "+Inf")
		all[family] = value
}

function check_sample(name, labels, value, family)
{
	family = family_of(name)
	if (!(family in type))
		wrong("no TYPE before it")
	if (family != current)
		wrong("not with its family")
	if (type[family] == "counter" && name !~ /_total$/)
		wrong("a counter's name ends in _total")
	if (type[family] == "gauge" && name ~ /_(total|bucket|sum|count)$/)
		wrong("a gauge's name must not end so")
	if (value !~ /^[+-]?([0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|Inf)$/)
		wrong("no number")
	if (type[family] == "counter" && value < 0)
		wrong("a counter below 0")
	if ((name, labels) in seen)
		wrong("twice")
	seen[name, labels] = 1
	if (name == family "_bucket")
		check_bucket(family, labels, value + 0)
	if (type[family] == "histogram" && name == family "_count" && value + 0 != all[family])
		wrong("not what the last bucket holds")
}

/^# HELP / {
	if (NF < 4 || $3 !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/ || $3 in help)
		wrong("HELP")
	help[$3] = 1
	next
}

/^# TYPE / {
	if (NF != 4 || $4 !~ /^(counter|gauge|histogram)$/ || $3 in type || !($3 in help))
		wrong("TYPE")
	type[$3] = $4
	current = $3
	next
}

/^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})? [^ ]+$/ {
	at = index($0, "{")
	name = at ? substr($0, 1, at - 1) : $1
	labels = ""
	if (at) {
		labels = substr($0, at + 1)
		sub(/\} [^ ]*$/, "", labels)
	}
	check_labels(labels)
	check_sample(name, labels, $NF)
	samples++
	next
}

{
	wrong("no line of the format")
}

END {
	if (samples < 10) {
		print FILENAME ": only " samples + 0 " samples"
		bad = 1
	}
	exit bad
}
