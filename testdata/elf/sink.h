/* What the fixtures call so that nothing is optimised away. */
#ifndef SINK_H
#define SINK_H
#ifdef __cplusplus
extern "C" {
#endif
int sink(int x);
void die(int x) __attribute__((noreturn, cold));
#ifdef __cplusplus
}
#endif
#endif
