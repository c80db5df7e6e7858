/* A reader with keys of its own, as pcscd sees it: vpcd's driver with a PIN pad on top.
 *
 * It is an IFD handler (PC/SC part 3) that pcscd loads: everything but the control codes of PC/SC
 * part 10 goes to vpcd's own. FEATURE_VERIFY_PIN_DIRECT does what a reader's firmware does: it
 * waits for keys, completes the command in the structure and sends it to the card, once.
 *
 * DESK is a folder that a test keeps:
 *   features    what GET_FEATURE_REQUEST answers; without the file the reader has no such code
 *   properties  what GET_TLV_PROPERTIES answers
 *   keys        a FIFO, what happens at the keys, a line each: "=123456" these digits and the
 *               confirming key, "!6401" the reader's own status word, "-gone" the reader is pulled
 *               out, "-lost" the card answers no more
 *   entries     a line for every entry that was asked for: the structure, in hexadecimal
 *   verified    a line for every VERIFY that it sent: the card's status word
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <ifdhandler.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GET_FEATURE_REQUEST = 0x42000000 + 3400, VERIFY_PIN_DIRECT = 0x42330006,
	TLV_PROPERTIES = 0x42330012, HEAD = 19 };

static void *vpcd(const char *name)
{
	static void *library;
	if (!library)
		library = dlopen(VPCD, RTLD_NOW | RTLD_LOCAL);
	return dlsym(library, name);
}

#define PASS(name, types, values) \
	RESPONSECODE name types { return ((RESPONSECODE (*) types)vpcd(#name)) values; }
/* What pcscd says of a reader on USB stands before the name that vpcd understands. */
PASS(IFDHCreateChannelByName, (DWORD lun, LPSTR name), (lun, strstr(name, "/dev/null")))
PASS(IFDHCreateChannel, (DWORD lun, DWORD channel), (lun, channel))
PASS(IFDHCloseChannel, (DWORD lun), (lun))
PASS(IFDHGetCapabilities, (DWORD lun, DWORD tag, DWORD *size, UCHAR *value),
	(lun, tag, size, value))
PASS(IFDHSetCapabilities, (DWORD lun, DWORD tag, DWORD size, UCHAR *value),
	(lun, tag, size, value))
PASS(IFDHSetProtocolParameters, (DWORD lun, DWORD protocol, UCHAR flags,
	UCHAR a, UCHAR b, UCHAR c), (lun, protocol, flags, a, b, c))
PASS(IFDHPowerICC, (DWORD lun, DWORD action, UCHAR *atr, DWORD *size),
	(lun, action, atr, size))
PASS(IFDHICCPresence, (DWORD lun), (lun))
PASS(IFDHTransmitToICC, (DWORD lun, SCARD_IO_HEADER send, UCHAR *command, DWORD size,
	UCHAR *answer, DWORD *length, SCARD_IO_HEADER *receive),
	(lun, send, command, size, answer, length, receive))

static void note(const char *file, const UCHAR *bytes, DWORD size)
{
	FILE *out = fopen(file, "a");
	for (DWORD at = 0; at < size; at++)
		fprintf(out, "%02X", bytes[at]);
	fputc('\n', out);
	fclose(out);
}

static RESPONSECODE say(const char *file, UCHAR *answer, DWORD room, DWORD *length)
{
	FILE *in = fopen(file, "rb");
	*length = 0;
	if (!in)
		return IFD_ERROR_NOT_SUPPORTED;
	*length = fread(answer, 1, room, in);
	fclose(in);
	return IFD_SUCCESS;
}

/* The status word of the reader itself. */
static RESPONSECODE own(unsigned word, UCHAR *answer, DWORD *length)
{
	answer[0] = word >> 8;
	answer[1] = word & 0xFF;
	*length = 2;
	return IFD_SUCCESS;
}

/* One line of what happens at the keys; 0 when nothing does in time. */
static int keys(char *line, int room, int seconds)
{
	int fifo = open(DESK "/keys", O_RDWR), used = 0;
	struct pollfd wait = { fifo, POLLIN, 0 };

	while (used < room - 1 && poll(&wait, 1, seconds * 1000) > 0 &&
			read(fifo, line + used, 1) == 1 && line[used] != '\n')
		used++;
	line[used] = 0;
	close(fifo);
	return used;
}

/* The digits over the first bytes of the frame; Lc as long as the data (part 10 §2.5.2). */
static DWORD complete(UCHAR *command, DWORD size, const char *digits, unsigned frame)
{
	unsigned typed = strlen(digits);

	if (size < 5 || !frame)
		command[4] = typed;
	memcpy(command + 5, digits, typed);
	return 5 + command[4];
}

static RESPONSECODE enter(DWORD lun, const UCHAR *wish, DWORD size,
	UCHAR *answer, DWORD room, DWORD *length)
{
	SCARD_IO_HEADER t1 = { 1, sizeof t1 };
	UCHAR command[300] = { 0 };
	char line[64];
	DWORD there;
	unsigned least, most, typed;

	note(DESK "/entries", wish, size);
	if (size < HEAD)
		return own(0x6B80, answer, length);
	there = wish[15] | wish[16] << 8 | wish[17] << 16 | (DWORD)wish[18] << 24;
	if (there != size - HEAD || there < 4 || there > 255 || wish[2] != 0x82 || wish[3] > 15)
		return own(0x6B80, answer, length);
	if (!keys(line, sizeof line, wish[0]))
		return own(0x6400, answer, length);
	if (line[0] == '-')
		return line[1] == 'g' ? IFD_NO_SUCH_DEVICE : IFD_COMMUNICATION_ERROR;
	if (line[0] == '!')
		return own(strtoul(line + 1, NULL, 16), answer, length);
	most = wish[5];
	least = wish[6];
	typed = strlen(line + 1);
	if (typed < least || typed > most)
		return own(0x6403, answer, length);
	memcpy(command, wish + HEAD, there);
	size = complete(command, there, line + 1, wish[3] & 15);
	*length = room;
	RESPONSECODE result = IFDHTransmitToICC(lun, t1, command, size, answer, length, &t1);
	note(DESK "/verified", answer, result == IFD_SUCCESS ? *length : 0);
	return result;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, UCHAR *wish, DWORD size,
	UCHAR *answer, DWORD room, DWORD *length)
{
	*length = 0;
	switch (code) {
	case GET_FEATURE_REQUEST:
		return say(DESK "/features", answer, room, length);
	case TLV_PROPERTIES:
		return say(DESK "/properties", answer, room, length);
	case VERIFY_PIN_DIRECT:
		return enter(lun, wish, size, answer, room, length);
	}
	return IFD_ERROR_NOT_SUPPORTED;
}
