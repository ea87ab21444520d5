/* Packets of a broker: what is taken for one is read within its bounds. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "mqtt/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the version, the second the packet's; the body has no byte behind it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(auto_free) uint8_t *body = size > 2 ? malloc(size - 2) : NULL;
	struct packet_suback suback = {0};
	const char *what;

	if (size < 2 || (size > 2 && !body))
		return 0;
	if (body)
		memcpy(body, data + 2, size - 2);
	what = packet_check(data[0] & 1 ? 5 : 4, data[1], body, size - 2, &suback);
	if (what && !*what)
		abort();
	if (!what && data[1] >> 4 == PACKET_SUBACK &&
		(suback.n < 1 || (size_t)suback.n > size - 2 || suback.worst < 0 ||
			suback.worst > 255))
		abort();
	return 0;
}
