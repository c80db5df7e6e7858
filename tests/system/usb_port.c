/* A USB port of ours, as pcscd sees it: what it asks libudev, answered for one reader.
 *
 * Preloaded into pcscd. Everything above is pcscd's own: it hears of a device, looks for the
 * driver in the bundles, loads it, and takes the reader away again. Only the kernel's word that
 * something was plugged in or pulled out comes from a test, by the FIFO EVENTS: '+' or '-'.
 * Nothing is in the port when pcscd starts. The names are those of libudev's API.
 */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct udev_device { char event; };

static struct udev_device reader;
static int events;

void *udev_enumerate_get_list_entry(void *enumerate)
{
	(void)enumerate;
	return NULL;
}

void *udev_monitor_new_from_netlink(void *udev, const char *name)
{
	(void)udev, (void)name;
	events = open(EVENTS, O_RDWR);
	return events < 0 ? NULL : &events;
}

int udev_monitor_filter_add_match_subsystem_devtype(void *monitor, const char *a, const char *b)
{
	(void)monitor, (void)a, (void)b;
	return 0;
}

int udev_monitor_enable_receiving(void *monitor)
{
	(void)monitor;
	return 0;
}

int udev_monitor_get_fd(void *monitor)
{
	(void)monitor;
	return events;
}

struct udev_device *udev_monitor_receive_device(void *monitor)
{
	(void)monitor;
	return read(events, &reader.event, 1) == 1 ? &reader : NULL;
}

const char *udev_device_get_action(struct udev_device *device)
{
	return device->event == '+' ? "add" : "remove";
}

struct udev_device *udev_device_get_parent_with_subsystem_devtype(struct udev_device *device,
	const char *subsystem, const char *type)
{
	(void)subsystem, (void)type;
	return device;
}

const char *udev_device_get_devnode(struct udev_device *device)
{
	(void)device;
	return DEVICE;
}

const char *udev_device_get_sysname(struct udev_device *device)
{
	(void)device;
	return "1-1:1.0";
}

const char *udev_device_get_sysattr_value(struct udev_device *device, const char *name)
{
	(void)device;
	if (!strcmp(name, "idVendor"))
		return VENDOR;
	return strcmp(name, "idProduct") ? NULL : PRODUCT;
}

struct udev_device *udev_device_unref(struct udev_device *device)
{
	(void)device;
	return NULL;
}
