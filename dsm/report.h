#ifndef BYRE__DSM_REPORT_H
#define BYRE__DSM_REPORT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
extern bool byre__dsm_report_on;
void byre__dsm_report_fault(uint32_t region, size_t unit, size_t offset, bool write, const void *ip);
void byre__dsm_report_start(void);
void byre__dsm_report_stop(void);
void byre__dsm_report_finish(void);
#endif
