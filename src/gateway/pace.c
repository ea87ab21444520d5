#include "config.h"

#include "gateway/pace.h"

/*
 * The size of a burst after a pause, as the time that it takes at its rate. The broker allows
 * LIMITS_WINDOW_S; the difference is for packets that the network delays and delivers together.
 */
#define TOTAL_BURST_MS	 100
#define DEVICE_BURST_MS	 1000
#define CONTROL_BURST_MS 2000

void
pace_spend_control(struct pace *pace, const struct pace_rates *rates, size_t attached, size_t len,
	int64_t now_ms)
{
	int64_t n = 1 + (int64_t)attached;

	limits_spend(&pace->messages, rates->messages * n, 1, now_ms);
	limits_spend(&pace->bytes, rates->bytes * n, (int64_t)len, now_ms);
}

void
pace_spend(struct pace *pace, const struct pace_rates *rates, size_t attached, size_t len,
	int64_t now_ms)
{
	limits_spend(&pace->total, rates->total, 1, now_ms);
	pace_spend_control(pace, rates, attached, len, now_ms);
}

static int64_t
longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
wait_for_device_ms(const struct pace *pace, int64_t burst_ms, int64_t now_ms)
{
	return longer(limits_wait_ms(&pace->messages, burst_ms, now_ms),
		limits_wait_ms(&pace->bytes, burst_ms, now_ms));
}

int64_t
pace_wait_ms(const struct pace *pace, int64_t now_ms)
{
	return longer(limits_wait_ms(&pace->total, TOTAL_BURST_MS, now_ms),
		wait_for_device_ms(pace, DEVICE_BURST_MS, now_ms));
}

int64_t
pace_wait_control_ms(const struct pace *pace, int64_t now_ms)
{
	return wait_for_device_ms(pace, CONTROL_BURST_MS, now_ms);
}
