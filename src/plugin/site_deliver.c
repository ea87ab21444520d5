/* Publishes at the site what gateways hand over. */
#include "config.h"

#include "plugin/site_plugin.h"

#include <string.h>

#include "base/text.h"
#include "site/filter.h"

/* The broker publishes the message as its own, so no client can send one that looks like it. */
void
site_deliver(void *with, const struct frame *frame)
{
	struct site *site = with;
	char shown[SITE_SHOWN_SIZE];
	void *copy = NULL;

	if (!filter_is_topic(frame->topic)) {
		text_show(frame->topic, shown, sizeof(shown));
		mosquitto_log_printf(MOSQ_LOG_ERR,
			SITE_PLUGIN
			": a gateway brought a message for '%s', which is not a valid topic",
			shown);
		return;
	}
	if (frame->retain && !retained_replace(&site->retained, frame->topic, frame->len,
				     (size_t)site->options.max_retained_size)) {
		site_log_complaint(&site->retained_full, "messages of a gateway are not delivered",
			"the retained messages have reached plugin_opt_max_retained_size");
		return;
	}
	if (frame->len) {
		copy = mosquitto_malloc(frame->len);
		if (copy)
			memcpy(copy, frame->payload, frame->len);
	}
	if ((frame->len && !copy) || mosquitto_broker_publish(NULL, frame->topic, (int)frame->len,
					     copy, frame->qos, frame->retain, NULL)) {
		mosquitto_free(copy);
		text_show(frame->topic, shown, sizeof(shown));
		mosquitto_log_printf(
			MOSQ_LOG_ERR, SITE_PLUGIN ": no memory to deliver to %s", shown);
	}
}
