// eventfd is here because Swift's Glibc module does not carry it.
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <sys/eventfd.h>
