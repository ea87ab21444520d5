#include "config.h"

#include "registry/topic.h"

#include <string.h>

#include "base/text.h"

/* What follows the device id. */
static const struct kind {
	const char *name;
	size_t len;
	enum topic_kind kind;
	bool folders;
} kinds[] = {
	{"/events", 7, TOPIC_EVENTS, true},
	{"/state", 6, TOPIC_STATE, false},
	{"/config", 7, TOPIC_CONFIG, false},
	{"/commands", 9, TOPIC_COMMANDS, true},
	{"/errors", 7, TOPIC_ERRORS, false},
	{"/attach", 7, TOPIC_ATTACH, false},
	{"/detach", 7, TOPIC_DETACH, false},
};

/* The kind of topic that has this text after its device id; NULL for none. */
static const struct kind *
find_kind(const char *text)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *rest = text + kinds[i].len;

		if (strncmp(text, kinds[i].name, kinds[i].len) != 0)
			continue;
		return !*rest || (kinds[i].folders && rest[0] == '/' && rest[1]) ? &kinds[i] : NULL;
	}
	return NULL;
}

void
topic_parse(const char *text, struct topic *ret)
{
	const struct kind *kind;
	size_t len = 0;

	ret->kind = TOPIC_OTHER;
	ret->device[0] = '\0';
	ret->subfolder = "";
	if (strncmp(text, "/devices/", 9) != 0)
		return;
	text += 9;
	while (len <= RULES_ID_MAX && rules_is_id_char(text[len]))
		len++;
	if (text[len] != '/' || !rules_is_device(text, len))
		return;
	kind = find_kind(text + len);
	if (!kind)
		return;
	memcpy(ret->device, text, len);
	ret->device[len] = '\0';
	ret->kind = kind->kind;
	if (text[len + kind->len])
		ret->subfolder = text + len + kind->len + 1;
}

bool
topic_parse_invalid_device(const char *text, struct topic *ret)
{
	const struct kind *kind;
	const char *end;
	size_t len;

	*ret = (struct topic){.kind = TOPIC_OTHER, .subfolder = ""};
	if (strncmp(text, "/devices/", 9) != 0)
		return false;
	text += 9;
	end = strchr(text, '/');
	kind = end ? find_kind(end) : NULL;
	if (end && !kind) {
		/* The id may have a '/' itself. Only these topics end after the first word. */
		end = strrchr(text, '/');
		kind = find_kind(end);
		if (kind && kind->kind != TOPIC_ATTACH && kind->kind != TOPIC_DETACH)
			return false;
	}
	if (!kind || kind->kind == TOPIC_CONFIG || kind->kind == TOPIC_COMMANDS ||
		kind->kind == TOPIC_ERRORS)
		return false;
	len = (size_t)(end - text);
	if (rules_is_device(text, len))
		return false;
	text_cut(text, ret->device, len < RULES_ID_MAX ? len + 1 : sizeof(ret->device));
	ret->kind = kind->kind;
	return true;
}

bool
topic_is_filter(const struct topic *topic)
{
	switch (topic->kind) {
	case TOPIC_CONFIG:
	case TOPIC_ERRORS:
		return true;
	case TOPIC_COMMANDS:
		return strcmp(topic->subfolder, "#") == 0;
	default:
		return false;
	}
}

/* Parts between slashes, none of them empty, of the characters that ids have. */
static bool
is_subfolder(const char *text)
{
	size_t len = strnlen(text, RULES_SUBFOLDER_MAX + 1);

	if (len > RULES_SUBFOLDER_MAX || (len && (text[0] == '/' || text[len - 1] == '/')) ||
		strstr(text, "//"))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!rules_is_id_char(text[i]) && text[i] != '/')
			return false;
	}
	return true;
}

int
topic_check_subfolder(const char *subfolder, struct fault *f)
{
	if (is_subfolder(subfolder))
		return 0;
	return fault_set(f, FAULT_USAGE,
		"the subfolder '%.80s' is not letters, digits and -._+~%% between slashes, at most "
		"%d",
		subfolder, RULES_SUBFOLDER_MAX);
}

int
topic_check_publish(const struct topic *topic, const char *text, size_t payload_len, size_t max,
	int qos, struct fault *f)
{
	switch (topic->kind) {
	case TOPIC_EVENTS:
		if (topic_check_subfolder(topic->subfolder, f)) {
			if (f)
				f->code = FAULT_AUTH;
			return -1;
		}
		break;
	case TOPIC_STATE:
	case TOPIC_ATTACH:
	case TOPIC_DETACH:
		break;
	default:
		return fault_set(f, FAULT_AUTH,
			"'%.80s' is no topic that a device may publish to: "
			"/devices/ID/events[/...] or /devices/ID/state",
			text);
	}
	if (qos > 1)
		return fault_set(f, FAULT_AUTH, "QoS 2 is not taken");
	if (payload_len > max)
		return fault_set(f, FAULT_USAGE, "a payload of %zu bytes is over the limit of %zu",
			payload_len, max);
	return 0;
}
