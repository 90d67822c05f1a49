/* SPDX-License-Identifier: MIT */
#include "durable/rules.h"
