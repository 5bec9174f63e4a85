/*
 * Civil dates of the Gregorian calendar, also before it was used, as days
 * since 1 January 1970.  Months are 1 to 12, days of a month from 1.
 *
 * In the header, since an event's time is written with each request.
 */

#ifndef SLUICE_CORE_DATE_H
#define SLUICE_CORE_DATE_H

#include <stdint.h>


#define SLUICE_DATE_DAY  86400    /* seconds */


typedef struct {
    int64_t  year;
    int      month;
    int      day;
} sluice_date_t;


/*
 * Both count by years that begin in March, so that the leap day is the last of
 * its year, in eras of 400 years.
 */

static inline sluice_date_t
sluice_date(int64_t days)
{
    int64_t        era, month, of_era, of_year, year;
    sluice_date_t  date;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;

    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;

    date.day = (int) (of_year - (153 * month + 2) / 5 + 1);
    date.month = (int) (month < 10 ? month + 3 : month - 9);
    date.year = year + era * 400 + (date.month < 3);

    return date;
}


static inline int64_t
sluice_date_days(int64_t year, int month, int day)
{
    int64_t  era, of_era, of_year;

    year -= (month < 3);
    era = (year >= 0 ? year : year - 399) / 400;
    of_era = year - era * 400;
    of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year
           - 719468;
}


static inline int
sluice_date_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}


static inline int
sluice_date_of_month(int64_t year, int month)
{
    if (month == 2) {
        return sluice_date_is_leap(year) ? 29 : 28;
    }

    return (month == 4 || month == 6 || month == 9 || month == 11) ? 30 : 31;
}


/* 0 Sunday to 6 Saturday */

static inline int
sluice_date_weekday(int64_t days)
{
    return (int) (((days + 4) % 7 + 7) % 7);
}


#endif
