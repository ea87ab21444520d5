/* audit: what happened to devices, by whom and why. Private. */
#ifndef REGISTRY_AUDIT_H
#define REGISTRY_AUDIT_H

#include "registry/db.h"

/*
 * Each class of lines has a bound of its own, for all registries of the file together, so that no
 * class pushes out the lines of another. Within the devices' class one device's connections cause
 * at most AUDIT_DEVICE_MAX of the lines that are kept.
 */
#define AUDIT_OPERATORS_MAX 100000
#define AUDIT_DEVICES_MAX   100000
#define AUDIT_DEVICE_MAX    5000
#define AUDIT_STRANGERS_MAX 10000

/*
 * A line.
 *
 * class   who caused it
 * causer  the row of the device whose connection caused it; 0 for none
 * at      the device; one without a device or a registry is about what is there
 * event   a word or two: "blocked", "config"
 * detail  key=value pairs or a reason; never a piece of a token or of a payload
 */
struct audit_line {
	enum registry_class class;
	int64_t causer;
	const struct rules_client *at;
	time_t when;
	const char *event;
	const char *detail;
};

/*
 * Adds a line within the caller's transaction, and removes a few old ones when there are too many.
 * Takes constant time, however many there are.
 */
int audit_add(struct registry *r, const struct audit_line *line, struct fault *f);

/* "operator", "device" or "stranger". */
const char *audit_class_name(enum registry_class class);

#endif
