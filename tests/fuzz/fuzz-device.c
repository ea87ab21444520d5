/* What devices and gateways send: a topic or a filter, and below it an attach's body. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "registry/attach.h"
#include "registry/topic.h"

static void
topic(const char *text, size_t len)
{
	struct fault f = FAULT_INIT;
	struct topic topic;

	topic_parse(text, &topic);
	if ((topic.kind == TOPIC_OTHER) != (topic.device[0] == '\0'))
		abort();
	if (topic.kind == TOPIC_OTHER &&
		(topic_is_filter(&topic) || !topic_check_publish(&topic, text, 0, 1, 0, &f)))
		abort();
	if (*topic.subfolder && (topic.subfolder < text || topic.subfolder >= text + len))
		abort();
	/* A filter with a wildcard is one only; no topic to publish to has any. */
	if (!topic_check_publish(&topic, text, 0, 1, 0, &f) && strchr(text, '#'))
		abort();
	if (topic_is_filter(&topic) && strchr(text, '#') && !strstr(text, "/commands/#"))
		abort();
}

static void
client_id(const char *text)
{
	struct rules_client client;
	struct fault f = FAULT_INIT;

	if (rules_parse_client_id(text, &client, &f)) {
		if (f.code != FAULT_AUTH || !f.text[0])
			abort();
		return;
	}
	if (!rules_is_device_client(text) || !client.project[0] || !client.device[0])
		abort();
}

static void
attach(const void *body, size_t len)
{
	AUTO(auto_secret) char *token = NULL;
	struct fault f = FAULT_INIT;

	if (attach_parse(body, len, &token, &f)) {
		if (f.code != FAULT_AUTH || !f.text[0] || strchr(f.text, '\n'))
			abort();
	} else if (!token || strlen(token) > len) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t len = end ? (size_t)(end - data) : size;
	AUTO(auto_free) char *line = strndup((const char *)data, len);

	if (!line)
		return 0;
	topic(line, strlen(line));
	client_id(line);
	if (end)
		attach(end + 1, size - len - 1);
	return 0;
}
